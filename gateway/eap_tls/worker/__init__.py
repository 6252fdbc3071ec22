"""The process that reads strangers' certificates, for every protocol, and ends their EAP-TLS.

It is started by gateway.eap_tls.service, gives up all rights, and says whose certificate it was;
who comes in is admission's to say.
"""
