package executor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// signatures is the value of the webhook-signature header: one Standard Webhooks
// v1 signature for each key, in the keys' order, separated by a space. The bytes
// of the API key are the HMAC key; a receiver's library takes "whsec_" and their
// base64.
func signatures(keys []string, id string, timestamp int64, body string) string {
	signed := make([]string, len(keys))
	for i, key := range keys {
		signed[i] = signature(key, id, timestamp, body)
	}
	return strings.Join(signed, " ")
}

func signature(key, id string, timestamp int64, body string) string {
	content := make([]byte, 0, len(id)+len(body)+24)
	content = append(content, id...)
	content = append(content, '.')
	content = strconv.AppendInt(content, timestamp, 10)
	content = append(content, '.')
	content = append(content, body...)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(content)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
