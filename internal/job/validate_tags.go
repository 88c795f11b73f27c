package job

import (
	"strings"
	"unicode/utf8"
)

// The limits of the names by which users find their jobs.
const (
	maxTags       = 32
	maxTagKey     = 63
	maxTagValue   = 256
	maxExternalID = 255
)

func (v *validation) tags(tags []Tag) {
	if len(tags) > maxTags {
		v.add("tags", "must have at most %d entries, has %d", maxTags, len(tags))
		return
	}
	for i, t := range tags {
		switch {
		case i > 0 && tags[i-1].Key == t.Key:
			v.add("tags", "the key %.64q is given twice", t.Key)
		case i > 0 && tags[i-1].Key > t.Key:
			v.add("tags", "must be in the order of their keys")
		default:
			v.tag("tags", "tags."+t.Key, t)
		}
	}
}

// tag checks one pair; a fault of the key is one of the first field, a fault of the
// value one of the second. A key has no colon, for "key:value" is how a filter names
// the pair.
func (v *validation) tag(keyField, valueField string, t Tag) {
	switch n := utf8.RuneCountInString(t.Key); {
	case !utf8.ValidString(t.Key) || strings.ContainsFunc(t.Key, isControlOrBreak):
		v.add(keyField, "the key %.64q must be valid UTF-8 without control characters", t.Key)
	case strings.TrimSpace(t.Key) == "":
		v.add(keyField, "must not have a blank key")
	case n > maxTagKey:
		v.add(keyField, "the key %.64q must have at most %d characters, has %d", t.Key, maxTagKey, n)
	case strings.Contains(t.Key, ":"):
		v.add(keyField, "the key %q must not have a colon", t.Key)
	default:
		v.line(valueField, t.Value, 0, maxTagValue)
	}
}

func isControlOrBreak(r rune) bool { return r < ' ' || r == 0x7f }

// externalID may be empty. It is a segment of a path, escaped; clients take . and ..
// out of a path even then.
func (v *validation) externalID(id string) {
	switch {
	case strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }):
		v.add("externalId", "must consist of visible ASCII characters and blanks")
	case len(id) > maxExternalID:
		v.add("externalId", "must have at most %d characters, has %d", maxExternalID, len(id))
	case strings.TrimSpace(id) != id:
		v.add("externalId", "must not begin or end with a blank")
	case id == "." || id == "..":
		v.add("externalId", "must not be . or .., which a URL cannot have in its path")
	}
}
