// The page: calls by Swagger UI, events and queues by messages.js.
import { showMessages } from "./messages.js";

async function read(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.json();
}

// A key is never the same for two requests, which OpenAPI cannot say: so it is no parameter where it
// may be left out (tools that make up requests would use one twice). On the page it is.
function withKeys(spec) {
  for (const item of Object.values(spec.paths)) {
    for (const operation of Object.values(item)) {
      if (operation["x-idempotency-key"] === undefined) continue;
      const key = { ...spec.components.parameters["Idempotency-Key"], required: false };
      operation.parameters = [...(operation.parameters ?? []), key];
    }
  }
  return spec;
}

async function showCalls() {
  window.SwaggerUIBundle({
    spec: withKeys(await read("openapi.json")),
    dom_id: "#calls",
    deepLinking: false, // the fragment says which section is shown (page.css)
    tryItOutEnabled: true,
    displayRequestDuration: true,
    validatorUrl: null,
  });
}

function failed(id) {
  return (error) => (document.getElementById(id).textContent = `This could not be shown. ${error.message}`);
}

showCalls().catch(failed("calls"));
read("asyncapi.json")
  .then((document_) => showMessages(document.getElementById("messages"), document_))
  .catch(failed("messages"));
