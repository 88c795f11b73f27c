package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearizeLimit bounds how long porcupine may search in one register's history.
const linearizeLimit = 30 * time.Second

// linearizable returns in words which registers are not, or could not be decided;
// a picture of each goes into the folder.
func linearizable(all []*register, out string) ([]string, error) {
	var problems []string
	var errs []error
	for _, r := range all {
		r.mu.Lock()
		history := r.history
		r.mu.Unlock()
		result, info := porcupine.CheckOperationsVerbose(registerModel, history, linearizeLimit)
		if result == porcupine.Ok {
			continue
		}
		picture := filepath.Join(out, r.name+".html")
		errs = append(errs, porcupine.VisualizePath(registerModel, info, picture))
		verdict := "is not linearizable"
		if result == porcupine.Unknown {
			verdict = fmt.Sprintf("could not be decided in %v", linearizeLimit)
		}
		problems = append(problems, fmt.Sprintf("register: the history of %s (%d operations) %s: see %s", r.name, len(history), verdict, picture))
	}
	return problems, errors.Join(errs...)
}
