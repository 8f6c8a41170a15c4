"""Passes server-sent events on as they come; large bodies are streamed by an option of mitmproxy's own."""


def responseheaders(flow):
    if flow.response.headers.get("content-type", "").startswith("text/event-stream"):
        flow.response.stream = True
