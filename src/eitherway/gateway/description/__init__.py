"""An app described for programs and people: OpenAPI, AsyncAPI, and a page that shows both."""
