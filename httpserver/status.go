package httpserver

import (
	"net/http"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

// outcome is how a code is shown.
type outcome struct {
	status int
	title  string
}

// outcomes is the one table from error code to HTTP status.
var outcomes = map[job.Code]outcome{
	job.CodeValidation:         {http.StatusBadRequest, "The request is invalid"},
	job.CodeMalformedJSON:      {http.StatusBadRequest, "The body is not valid JSON"},
	job.CodeUnauthorized:       {http.StatusUnauthorized, "No valid API key"},
	job.CodeForbidden:          {http.StatusForbidden, "Not allowed"},
	job.CodeNotFound:           {http.StatusNotFound, "Not found"},
	job.CodeMethodNotAllowed:   {http.StatusMethodNotAllowed, "Method not allowed"},
	job.CodeConflict:           {http.StatusConflict, "Conflict"},
	job.CodeOverlap:            {http.StatusConflict, "An execution is running"},
	job.CodePreconditionFailed: {http.StatusPreconditionFailed, "The version has changed"},
	job.CodePayloadTooLarge:    {http.StatusRequestEntityTooLarge, "The request is too large"},
	job.CodeUnsupportedMedia:   {http.StatusUnsupportedMediaType, "Unsupported media type"},
	job.CodeInternal:           {http.StatusInternalServerError, "Internal error"},
	job.CodeNoLeader:           {http.StatusServiceUnavailable, "No leader"},
	job.CodeOutcomeUnknown:     {http.StatusServiceUnavailable, "Outcome unknown"},
}

// outcomeOf is how c is shown; a code that the table lacks is an internal error.
func outcomeOf(c job.Code) outcome {
	if o, ok := outcomes[c]; ok {
		return o
	}
	return outcomes[job.CodeInternal]
}

// problemType is the type URI of a problem, relative to the server.
func problemType(c job.Code) string {
	return "/problems/" + strings.ReplaceAll(string(c), "_", "-")
}

// retryable reports whether the same request may succeed a moment later.
func retryable(c job.Code) bool { return outcomeOf(c).status == http.StatusServiceUnavailable }
