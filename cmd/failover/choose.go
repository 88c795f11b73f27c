package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// choose are the scenarios that the flags ask for, in their order.
func (s settings) choose() ([]scenario, error) {
	if s.short && s.full {
		return nil, errors.New("--short and --full exclude each other")
	}
	var names []string
	if s.only != "" {
		names = strings.Split(s.only, ",")
	}
	var chosen []scenario
	for _, sc := range scenarios {
		if slices.Contains(names, sc.name) || s.only == "" && !sc.isApart && (sc.isShort || !s.short) {
			chosen = append(chosen, sc)
		}
	}
	for _, name := range names {
		if _, ok := scenarioOf(name); !ok {
			return nil, fmt.Errorf("no scenario %q: there are %s", name, strings.Join(allNames(), ", "))
		}
	}
	return chosen, nil
}

func scenarioOf(name string) (scenario, bool) {
	i := slices.IndexFunc(scenarios, func(sc scenario) bool { return sc.name == name })
	if i < 0 {
		return scenario{}, false
	}
	return scenarios[i], true
}

func allNames() []string {
	var names []string
	for _, sc := range scenarios {
		names = append(names, sc.name)
	}
	return names
}
