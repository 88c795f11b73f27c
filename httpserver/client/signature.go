package client

import (
	"errors"
	"fmt"
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ErrSignature is what [VerifySignature] returns for a request that is not to be trusted.
var ErrSignature = errors.New("the request is not signed with this API key, or not of the last minutes")

// VerifySignature checks a request that a webhook, or a job with SignPayloads, has sent:
// that it is signed with the API key which made the webhook or the job, and is at most
// five minutes old. Body is the request's, exactly as it came. A receiver that has seen
// the header webhook-id before has got the same request again.
//
// While an API key is being rotated a request is signed with both secrets, so a receiver
// may change to the new one at any time.
func VerifySignature(apiKey string, header http.Header, body []byte) error {
	if apiKey == "" {
		return errors.New("client: an API key is required to verify a signature")
	}
	hook, err := standardwebhooks.NewWebhookRaw([]byte(apiKey))
	if err != nil {
		return err
	}
	if err := hook.Verify(body, header); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}
