"""The console: pages for people, drawn on the server from what the desk tells.

`site` puts it together with the API, health and metrics; nothing is fetched from elsewhere.
"""
