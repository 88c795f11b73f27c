package httpserver

import (
	"net/http"

	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/httpserver/docsui"
)

// pathContract is where the contract of the API is, which /docs shows.
const pathContract = "/openapi.yaml"

// loadDocs returns the contract, and the files that show it, by their paths.
func loadDocs() map[string]docsui.File {
	docs := docsui.Load()
	docs[pathContract] = docsui.File{ContentType: contentYAML, Body: api.OpenAPI}
	return docs
}

// showDoc is one of them.
func showDoc(f docsui.File) *response {
	return underPolicy(&response{status: http.StatusOK, contentType: f.ContentType, body: f.Body}, docsui.Policy)
}
