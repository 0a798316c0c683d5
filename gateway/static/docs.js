// Swagger UI over the description that lies beside this page. Tokens stay in memory: nothing is kept.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  // For other origins than this page's the policy would stop it anyway.
  showExtensions: false,
});
