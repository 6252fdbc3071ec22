"""The process that parses untrusted certificates for every protocol, and terminates EAP-TLS.

gateway.eap_tls.service starts it. It drops all privileges and reports whose certificate it has
verified; admission decides who is admitted.
"""
