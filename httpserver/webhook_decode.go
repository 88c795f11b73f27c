package httpserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cronraft/cronraft/internal/job"
)

const (
	fieldURL    = "url"
	fieldEvents = "events"
	fieldTag    = "tag"

	// maxHookEvents bounds what one webhook subscribes to.
	maxHookEvents = 20
	// allEvents stands for every event that the webhook may have.
	allEvents = "*"
)

// webhookPatch is what a body says about a webhook: an RFC 7396 merge patch, or all of
// it. A new webhook is all of the default one.
type webhookPatch struct {
	members object
	errs    []job.FieldError // found without looking at a webhook
	// creating means that there is nothing stored that a value could keep.
	creating bool
	// whole means that what the body does not name becomes the default.
	whole bool
}

// decodeWebhook reads a body. Its error is for a body that is no JSON object; what is
// wrong with a field is told by apply.
func decodeWebhook(body []byte) (*webhookPatch, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	p := &webhookPatch{members: members}
	for _, m := range members {
		if _, known := hookFields[m.name]; !known {
			p.errs = addField(p.errs, clip(m.name), "%s", whyNoHookField(m.name))
		}
	}
	return p, nil
}

func whyNoHookField(name string) string {
	if slices.Contains(readOnlyHookFields, name) {
		return "is read only"
	}
	for known := range hookFields {
		if strings.EqualFold(known, name) {
			return fmt.Sprintf("is not a field of a webhook; did you mean %q?", known)
		}
	}
	return "is not a field of a webhook"
}

// hookField is how one member of the JSON object gets into a webhook. Clear is what
// null does: the default again.
type hookField struct {
	set   func(d *hookDecoder, name string, v any)
	clear func(d *hookDecoder)
}

// hookFields has every member that a client may write.
var hookFields = map[string]hookField{
	fieldURL:      hookText(func(s *job.Spec) *string { return &s.Target.URL }),
	fieldEvents:   {setHookEvents, func(d *hookDecoder) { d.hook.Events = nil }},
	fieldTag:      {setHookTag, func(d *hookDecoder) { d.hook.Tag = nil }},
	"description": hookText(func(s *job.Spec) *string { return &s.Description }),
	fieldHeaders: {
		set:   func(d *hookDecoder, name string, v any) { setHeaders(&d.specDecoder, name, v) },
		clear: func(d *hookDecoder) { d.spec.Target.Headers = nil },
	},
	fieldState: hookText(func(s *job.Spec) *job.State { return &s.State }),
}

// readOnlyHookFields are shown by a read and refused in a write.
var readOnlyHookFields = []string{
	"webhookId", "namespace", "version", "createdAt", "updatedAt", "lastDeliveryAt", "lastResult",
	"consecutiveFailures", "counts",
}

// hookDecoder is the state of one apply.
type hookDecoder struct {
	specDecoder
	hook *job.Hook
}

// hookText is a field of any type of string, whose null is the default spec's value.
func hookText[T ~string](of func(*job.Spec) *T) hookField {
	return hookField{
		set: func(d *hookDecoder, name string, v any) {
			if s, ok := v.(string); ok {
				*of(d.spec) = T(s)
				return
			}
			d.add(name, "must be a string, not %s", kind(v))
		},
		clear: func(d *hookDecoder) {
			fresh := job.DefaultSpec()
			*of(d.spec) = *of(&fresh)
		},
	}
}

// apply changes the webhook and returns everything that is wrong with the patch or
// with what comes of it. It may be called again, on another copy.
func (p *webhookPatch) apply(s *job.Spec, h *job.Hook) []job.FieldError {
	d := &hookDecoder{hook: h, specDecoder: specDecoder{
		spec: s, errs: slices.Clone(p.errs), creating: p.creating, stored: slices.Clone(s.Target.Headers),
	}}
	if p.whole {
		for _, f := range hookFields {
			f.clear(d)
		}
	}
	for _, m := range p.members {
		f, known := hookFields[m.name]
		switch {
		case !known:
		case m.value == nil:
			f.clear(d)
		default:
			f.set(d, m.name, m.value)
		}
	}
	d.checkRules()
	return d.errs
}

// setHookEvents takes the list that replaces the events.
func setHookEvents(d *hookDecoder, name string, v any) {
	list, ok := v.(array)
	switch {
	case !ok:
		d.add(name, "must be an array, not %s", kind(v))
		return
	case len(list) == 0 || len(list) > maxHookEvents:
		d.add(name, "must have from 1 to %d entries, has %d", maxHookEvents, len(list))
		return
	case len(list) == 1 && list[0] == allEvents:
		d.hook.Events = eventsFor(d.hook)
		return
	}
	d.hook.Events = make([]job.EventType, 0, len(list))
	for i, item := range list {
		text, isText := item.(string)
		at := fmt.Sprintf("%s[%d]", name, i)
		switch {
		case !isText:
			d.add(at, "must be a string, not %s", kind(item))
		case text == allEvents:
			d.add(at, "%s stands for all events and must be the only entry", allEvents)
		}
		d.hook.Events = append(d.hook.Events, job.EventType(text))
	}
}

// eventsFor are those that the webhook may subscribe to.
func eventsFor(h *job.Hook) []job.EventType {
	return slices.DeleteFunc(slices.Clone(job.WebhookEvents), func(e job.EventType) bool { return e.IsOfCluster() && !h.Cluster })
}

// setHookTag reads "key:value"; the key ends at the first colon.
func setHookTag(d *hookDecoder, name string, v any) {
	text, ok := v.(string)
	if !ok {
		d.add(name, "must be a string, not %s", kind(v))
		return
	}
	key, value, ok := strings.Cut(text, ":")
	if !ok || key == "" {
		d.add(name, `must be a tag, "key:value"`)
		return
	}
	d.hook.Tag = &job.Tag{Key: key, Value: value}
}

// checkRules adds the rules that the new webhook breaks, but not those of a field that
// could not even be read.
func (d *hookDecoder) checkRules() {
	for _, e := range slices.Concat(d.hook.Validate(), d.spec.ValidateHook()) {
		if isHookField(e.Field) && !d.told(e.Field) {
			d.add(e.Field, "%s", e.Msg)
		}
	}
}

// isHookField reports whether a rule is about a field of webhooks, or about a part of
// one: the rest of a webhook's spec is not the client's.
func isHookField(field string) bool {
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	_, known := hookFields[name]
	return known
}

// told reports whether something is known to be wrong with the field, or with all that
// it is a part of.
func (d *hookDecoder) told(field string) bool {
	return slices.ContainsFunc(d.errs, func(e job.FieldError) bool {
		return e.Field == field || e.Field == fieldEvents && strings.HasPrefix(field, fieldEvents+"[")
	})
}
