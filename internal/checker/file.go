package checker

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Save writes a history to a file, as gzipped JSON, so that the run can be
// checked again.
func Save(path string, h *History) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("save history: %w", err)
	}
	buffer := bufio.NewWriter(f)
	zip := gzip.NewWriter(buffer)
	err = errors.Join(json.NewEncoder(zip).Encode(h), zip.Close(), buffer.Flush(), f.Close())
	if err != nil {
		return fmt.Errorf("save history to %s: %w", path, err)
	}
	return nil
}

// Load reads what [Save] wrote. A field that this program does not know is an
// error: the verdict could be wrong without it.
func Load(path string) (History, error) {
	f, err := os.Open(path)
	if err != nil {
		return History{}, fmt.Errorf("load history: %w", err)
	}
	defer f.Close()
	var h History
	zip, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return History{}, fmt.Errorf("load history from %s: %w", path, err)
	}
	decoder := json.NewDecoder(zip)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&h); err != nil {
		return History{}, fmt.Errorf("load history from %s: %w", path, err)
	}
	return h, nil
}
