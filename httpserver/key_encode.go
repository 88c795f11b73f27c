package httpserver

import (
	"github.com/cronraft/cronraft/httpserver/api"
	"github.com/cronraft/cronraft/internal/job"
)

func encodeKey(k *job.APIKey) api.Key {
	return api.Key{
		KeyID: k.ID, Name: k.Name, Namespace: k.Namespace, Role: string(k.Role), Root: k.Root,
		CreatedAt: api.Time{Time: k.CreatedAt}, ExpiresAt: instant(k.ExpiresAt),
		RotatedAt: instant(k.RotatedAt), PreviousValidUntil: instant(k.PreviousUntil),
	}
}

func encodeNewKey(n NewKey) api.NewKey { return api.NewKey{Key: encodeKey(&n.APIKey), APIKey: n.Plain} }
