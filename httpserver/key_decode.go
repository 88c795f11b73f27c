package httpserver

import (
	"slices"
	"time"

	"github.com/cronraft/cronraft/internal/job"
)

// The fields of an API key that a client may write.
const (
	fieldKeyName   = "name"
	fieldNamespace = "namespace"
	fieldRole      = "role"
	fieldExpiresAt = "expiresAt"
	fieldRotation  = "overlapSeconds"
)

const (
	defaultKeyOverlap = 24 * time.Hour
	maxKeyOverlap     = 30 * 24 * time.Hour
)

var roles = []job.Role{job.RoleAdmin, job.RoleEditor, job.RoleReader}

// decodeKey reads what a new key is to be, which is in the namespace unless the body
// names one. An expiry in the past is left to [Keys] if nothing else is wrong: a
// repetition gets its first answer even when the key has expired since.
func decodeKey(body []byte, namespace string, now time.Time) (job.APIKey, error) {
	members, err := parseObject(body)
	if err != nil {
		return job.APIKey{}, err
	}
	d := &keyDecoder{key: job.APIKey{Namespace: namespace}}
	for _, name := range []string{fieldKeyName, fieldRole} {
		if v, _ := members.get(name); v == nil {
			d.add(name, "is required")
		}
	}
	for _, m := range members {
		if !slices.Contains([]string{fieldKeyName, fieldNamespace, fieldRole, fieldExpiresAt}, m.name) {
			d.add(clip(m.name), "is not a field of a new API key")
		} else if m.value != nil {
			d.set(m.name, m.value)
		}
	}
	if len(d.errs) > 0 && d.key.IsExpired(now) {
		d.add(fieldExpiresAt, "must be in the future")
	}
	return d.key, asError(d.errs)
}

// keyDecoder is a key on its way out of a body.
type keyDecoder struct {
	key  job.APIKey
	errs []job.FieldError
}

func (d *keyDecoder) add(field, format string, args ...any) {
	d.errs = addField(d.errs, field, format, args...)
}

func (d *keyDecoder) set(name string, v any) {
	text, ok := v.(string)
	if !ok {
		d.add(name, "must be a string, not %s", kind(v))
		return
	}
	switch name {
	case fieldKeyName:
		d.setName(text)
	case fieldNamespace:
		if !isNamespace(text) {
			d.add(name, ruleNamespace)
		}
		d.key.Namespace = text
	case fieldRole:
		d.key.Role = job.Role(text)
		if !slices.Contains(roles, d.key.Role) {
			d.add(name, "must be one of %s", enumerate(roles))
		}
	case fieldExpiresAt:
		at, rule := parseInstant(text)
		if rule != "" {
			d.add(name, "%s", rule)
		}
		d.key.ExpiresAt = at
	}
}

func (d *keyDecoder) setName(text string) {
	if text == "" {
		d.add(fieldKeyName, "must not be empty")
	}
	d.errs = append(d.errs, checkText(fieldKeyName, text, job.MaxKeyName)...)
	d.key.Name = text
}

// decodeRotation reads how long the secret before a rotation is to be accepted.
func decodeRotation(body []byte) (time.Duration, error) {
	members, err := parseOptional(body)
	if err != nil {
		return 0, err
	}
	d, overlap := &specDecoder{}, defaultKeyOverlap
	for _, m := range members {
		switch {
		case m.name != fieldRotation:
			d.add(clip(m.name), "is not a field of a rotation")
		case m.value != nil:
			n, ok := d.wholeNumber(m.name, m.value)
			overlap = time.Duration(n) * time.Second
			if ok && (overlap < 0 || overlap > maxKeyOverlap) {
				d.add(m.name, "must be 0 to %d (30 days)", int64(maxKeyOverlap/time.Second))
			}
		}
	}
	return overlap, asError(d.errs)
}
