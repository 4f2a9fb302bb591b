"use strict";

// validatorUrl is null because the default sends the description to a server on the net.
SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#interface",
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
