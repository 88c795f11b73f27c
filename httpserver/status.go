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
	// retryAfter is in seconds, for what may succeed by itself later.
	retryAfter string
	// advice goes after the detail.
	advice string
}

// The pauses before another try: leaders come back in a moment, room on a disk
// does not.
const (
	retrySoon  = "1"
	retryLater = "30"
)

const safeRepetition = "; a POST with an " + headerOnce + ", and a PATCH or DELETE with " + headerIfMatch + ", may be sent again as it is"

// outcomes is the one table from error code to HTTP status.
var outcomes = map[job.Code]outcome{
	job.CodeValidation:          {status: http.StatusBadRequest, title: "The request is invalid"},
	job.CodeMalformedJSON:       {status: http.StatusBadRequest, title: "The body is not valid JSON"},
	job.CodeUnauthorized:        {status: http.StatusUnauthorized, title: "No valid API key"},
	job.CodeForbidden:           {status: http.StatusForbidden, title: "Not allowed"},
	job.CodeNotFound:            {status: http.StatusNotFound, title: "Not found"},
	job.CodeMethodNotAllowed:    {status: http.StatusMethodNotAllowed, title: "Method not allowed"},
	job.CodeConflict:            {status: http.StatusConflict, title: "Conflict"},
	job.CodeOverlap:             {status: http.StatusConflict, title: "An execution is running"},
	job.CodeInUse:               {status: http.StatusConflict, title: "Still in use"},
	job.CodePreconditionFailed:  {status: http.StatusPreconditionFailed, title: "The version has changed"},
	job.CodePayloadTooLarge:     {status: http.StatusRequestEntityTooLarge, title: "The request is too large"},
	job.CodeUnsupportedMedia:    {status: http.StatusUnsupportedMediaType, title: "Unsupported media type"},
	job.CodeIdempotencyMismatch: {status: http.StatusUnprocessableEntity, title: "The key belongs to another request"},
	job.CodeRateLimited:         {status: http.StatusTooManyRequests, title: "Too many requests"},
	job.CodeInternal:            {status: http.StatusInternalServerError, title: "Internal error"},
	job.CodeNoLeader:            {status: http.StatusServiceUnavailable, title: "No leader", retryAfter: retrySoon},
	job.CodeOutcomeUnknown:      {status: http.StatusServiceUnavailable, title: "Outcome unknown", retryAfter: retrySoon, advice: safeRepetition},
	job.CodeDiskFull:            {status: http.StatusServiceUnavailable, title: "The disk is full", retryAfter: retryLater},
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
