//go:build race

package cron

// raceEnabled: the race detector makes everything ten times slower.
const raceEnabled = true
