package node

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// rootKeyName is the file below the data directory that a made root key is
// written to.
const rootKeyName = "root-api-key"

// rootKeyFile is the path of a root key that this node made; empty if the key
// was given.
type rootKeyFile string

// discard removes the file of a key that did not become the cluster's.
func (f rootKeyFile) discard() error {
	if f == "" {
		return nil
	}
	if err := os.Remove(string(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the unused root key: %w", err)
	}
	return nil
}

// rootKey is the configured root key, or one that is made now and written to the
// data directory before it is submitted, so that it cannot be lost in between.
func (n *Node) rootKey() (string, rootKeyFile, error) {
	if n.cfg.RootKey != "" {
		return n.cfg.RootKey, "", nil
	}
	path := filepath.Join(n.cfg.DataDir, rootKeyName)
	key := "cron_" + randomHex(20)
	if err := writeSynced(path, []byte(key+"\n")); err != nil {
		return "", "", fmt.Errorf("write the root API key: %w", err)
	}
	return key, rootKeyFile(path), nil
}

// writeSynced writes a file that only its owner may read and makes it durable.
func writeSynced(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func hashKey(key string) [32]byte { return sha256.Sum256([]byte(key)) }
