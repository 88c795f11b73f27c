package fsm

import (
	"encoding/binary"

	"github.com/cronraft/cronraft/internal/job"
)

// The prefixes of the keys; doc.go has the table.
const (
	definitionPrefix = "j/"
	statePrefix      = "s/"
	namespacePrefix  = "n/"
	executionPrefix  = "x/"
	openPrefix       = "o/"
	keyByHashPrefix  = "k/"
	keyByIDPrefix    = "ki/"
	answerPrefix     = "a/"
	answerTimePrefix = "at/"
	dismissedPrefix  = "d/"
	hookPrefix       = "w/"
	externalPrefix   = "e/"
	signerPrefix     = "u/"
	oldKeyPrefix     = "kp/"
)

// The keys that exist once.
var (
	appliedKey = []byte("m/applied")
	clusterKey = []byte("m/cluster")
	versionKey = []byte("m/version")
	keepKey    = []byte("m/keep")
)

func definitionKey(id job.ID) []byte { return jobKey(definitionPrefix, id) }

func stateKey(id job.ID) []byte { return jobKey(statePrefix, id) }

func jobKey(prefix string, id job.ID) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), uint64(id))
}

// jobOf reads the ID at the end of a key of a job.
func jobOf(key []byte) job.ID { return job.ID(binary.BigEndian.Uint64(key[len(key)-8:])) }

func executionKey(x job.ExecutionID) []byte { return orderKey(executionPrefix, x) }

func openKey(x job.ExecutionID) []byte { return orderKey(openPrefix, x) }

func orderKey(prefix string, x job.ExecutionID) []byte {
	return binary.BigEndian.AppendUint64(jobKey(prefix, x.Job), x.Order)
}

// executionOf reads the ID at the end of a key of an execution.
func executionOf(key []byte) job.ExecutionID {
	order := binary.BigEndian.Uint64(key[len(key)-8:])
	return job.ExecutionID{Job: jobOf(key[:len(key)-8]), Order: order}
}

// namespaceKeys is the prefix of the keys of a namespace's jobs. The length
// before the name keeps one name from being the beginning of another.
func namespaceKeys(namespace string) []byte { return namedKeys(namespacePrefix, namespace) }

func namespaceKey(namespace string, id job.ID) []byte {
	return binary.BigEndian.AppendUint64(namespaceKeys(namespace), uint64(id))
}

// namedKeys is the prefix of the keys that belong to a name.
func namedKeys(prefix, name string) []byte {
	key := binary.BigEndian.AppendUint32([]byte(prefix), uint32(len(name)))
	return append(key, name...)
}

func hookKey(namespace string, id job.ID) []byte {
	return binary.BigEndian.AppendUint64(namedKeys(hookPrefix, namespace), uint64(id))
}

// listKey is where a job, or a webhook, is in the list of its namespace.
func listKey(namespace string, id job.ID, hook bool) []byte {
	if hook {
		return hookKey(namespace, id)
	}
	return namespaceKey(namespace, id)
}

func externalKey(namespace, externalID string) []byte {
	return append(namedKeys(externalPrefix, namespace), externalID...)
}

// signerKeys is the prefix of the jobs and webhooks that an API key signs for.
func signerKeys(keyID string) []byte { return namedKeys(signerPrefix, keyID) }

func signerKey(keyID string, id job.ID) []byte {
	return binary.BigEndian.AppendUint64(signerKeys(keyID), uint64(id))
}

// oldKeyKey finds an API key by the secret that was replaced last.
func oldKeyKey(hash []byte) []byte { return append([]byte(oldKeyPrefix), hash...) }

func keyByHashKey(hash []byte) []byte { return append([]byte(keyByHashPrefix), hash...) }

func keyByIDKey(id string) []byte { return append([]byte(keyByIDPrefix), id...) }

func answerKey(hash []byte) []byte { return append([]byte(answerPrefix), hash...) }

// answerTimeKey is in the order of the times; without a hash, it precedes the
// answers of its time.
func answerTimeKey(at int64, hash []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte(answerTimePrefix), uint64(at)), hash...)
}

// answerOf reads the hash at the end of a key that has a time before it.
func answerOf(key []byte) []byte { return key[len(answerTimePrefix)+8:] }

func dismissedKey(node string) []byte { return append([]byte(dismissedPrefix), node...) }

// nodeOf reads the node's ID at the end of a key.
func nodeOf(key []byte) string { return string(key[len(dismissedPrefix):]) }

// after is the smallest key greater than key.
func after(key []byte) []byte { return append(key[:len(key):len(key)], 0) }

// afterAll is the smallest key greater than all that begin with prefix, which
// has a byte that is not 0xff.
func afterAll(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
}
