// Belfry's documentation: Swagger UI on the document of this very server. It asks
// nobody else: no validator, no server but the one that the page came from.
window.onload = () => {
  window.SwaggerUIBundle({
    url: new URL("openapi.json", document.baseURI).href,
    domNode: document.getElementById("api"),
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    displayRequestDuration: true,
    filter: true,
    validatorUrl: null,
    presets: [window.SwaggerUIBundle.presets.apis],
  });
};
