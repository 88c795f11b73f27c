package cron

import (
	"archive/zip"
	_ "embed" // for zoneinfo.zip
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:generate sh -c "cp \"$(go env GOROOT)/lib/time/zoneinfo.zip\" zoneinfo.zip"

//go:embed zoneinfo.zip
var zoneinfo string

// Zone is a time zone of the IANA database. It never changes, so goroutines may
// share it.
type Zone struct {
	location *time.Location
	clock    table
}

// Name is the zone's IANA name.
func (z *Zone) Name() string { return z.location.String() }

// Location is the zone for package time.
func (z *Zone) Location() *time.Location { return z.location }

// ZoneError says that there is no zone of a name.
type ZoneError struct {
	Name string
	// Nearest is the name that was probably meant; empty if there is none.
	Nearest string
}

func (e *ZoneError) Error() string {
	switch {
	case e.Name == "":
		return "the time zone is empty; give an IANA name such as Europe/Berlin, or UTC"
	case e.Nearest == "":
		return fmt.Sprintf("%.64q is not a time zone; give an IANA name such as Europe/Berlin, or UTC", e.Name)
	}
	return fmt.Sprintf("%q is not a time zone; did you mean %s?", e.Name, e.Nearest)
}

// LoadZone is the zone of an IANA name, in exactly its capitals. A name that is
// none is a [*ZoneError]. The first call for a name takes some milliseconds,
// later ones answer the same Zone at once.
func LoadZone(name string) (*Zone, error) {
	zones, err := zones()
	if err != nil {
		return nil, err
	}
	entry, ok := zones[name]
	if !ok {
		return nil, &ZoneError{Name: strings.Clone(name), Nearest: nearest(name, slices.Sorted(maps.Keys(zones)))}
	}
	return entry()
}

// zones are all zones, each read when it is first asked for.
var zones = sync.OnceValues(func() (map[string]func() (*Zone, error), error) {
	archive, err := zip.NewReader(strings.NewReader(zoneinfo), int64(len(zoneinfo)))
	if err != nil {
		return nil, fmt.Errorf("open embedded time zones: %w", err)
	}
	entries := make(map[string]func() (*Zone, error), len(archive.File))
	for _, file := range archive.File {
		if isZoneName(file.Name) {
			entries[file.Name] = sync.OnceValues(func() (*Zone, error) { return readZone(file) })
		}
	}
	return entries, nil
})

// isZoneName refuses what databases have beside zones of places: names that mean
// the machine's own zone, placeholders, and copies with other leap seconds.
func isZoneName(name string) bool {
	switch name {
	case "", "Local", "localtime", "posixrules", "Factory":
		return false
	}
	return !strings.HasSuffix(name, "/") && !strings.HasPrefix(name, "posix/") && !strings.HasPrefix(name, "right/")
}

func readZone(file *zip.File) (*Zone, error) {
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", file.Name, err)
	}
	defer func() { _ = r.Close() }() // the archive is in memory
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", file.Name, err)
	}
	location, err := time.LoadLocationFromTZData(file.Name, data)
	if err != nil {
		return nil, fmt.Errorf("read time zone %s: %w", file.Name, err)
	}
	return &Zone{location: location, clock: newTable(location)}, nil
}
