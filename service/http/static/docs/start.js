"use strict";

// validatorUrl is null because the default sends the description to an external server.
SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#interface",
  validatorUrl: null,
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
});
