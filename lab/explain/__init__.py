"""Why a client, a host or a site is not connected: layers from top to bottom, each with what was
looked at in the running lab."""
