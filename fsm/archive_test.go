package fsm

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// archiveOf makes an archive of files by hand.
func archiveOf(format, count uint32, files ...[2]string) []byte {
	head := binary.BigEndian.AppendUint32([]byte(archiveMagic), format)
	b := withChecksum(binary.BigEndian.AppendUint32(head, count))
	for _, f := range files {
		b = append(b, fileHead(f[0], int64(len(f[1])))...)
		b = append(b, withChecksum([]byte(f[1]))...)[:len(b)+len(f[1])+checksumBytes]
	}
	return b
}

func TestArchive_RoundTrip(t *testing.T) {
	t.Parallel()
	files := vfs.NewMem()
	want := map[string]string{"a.sst": "content", "empty": "", "MANIFEST-000001": strings.Repeat("x", 100_000)}
	for name, content := range want {
		if err := makeDir(files, "from"); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(files, "from", name, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	a, err := newArchive(files, "from")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(iotest.OneByteReader(a))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "size", int64(len(b)), a.size)
	if err := makeDir(files, "to"); err != nil {
		t.Fatal(err)
	}
	if err := extract(iotest.HalfReader(bytes.NewReader(b)), files, "to"); err != nil {
		t.Fatal(err)
	}
	names, err := files.List("to")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "files", len(names), len(want))
	for name, content := range want {
		got, err := readFile(files, "to/"+name)
		if err != nil || string(got) != content {
			t.Errorf("%s: got %d bytes, %v, want %d", name, len(got), err, len(content))
		}
	}
}

func TestRestore_Refuses(t *testing.T) {
	t.Parallel()
	file := [2]string{"MANIFEST-000001", "x"}
	_, good := busy(t, vfs.NewMem()).stream()
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	tests := map[string]struct {
		archive []byte
		want    string
	}{
		"nothing":              {nil, "EOF"},
		"half a head":          {good[:7], "EOF"},
		"half of it":           {good[:len(good)/2], "EOF"},
		"all but a byte":       {good[:len(good)-1], "EOF"},
		"a byte more":          {append(bytes.Clone(good), 0), "does not end"},
		"a flipped bit":        {flipped, "damaged"},
		"something else":       {bytes.Repeat([]byte("cron"), 100), "damaged"},
		"a newer format":       {archiveOf(archiveFormat+1, 1, file), "upgrade this node"},
		"no format":            {archiveOf(0, 1, file), "damaged"},
		"no files":             {archiveOf(1, 0), "damaged"},
		"too many files":       {archiveOf(1, maxArchiveFiles+1), "damaged"},
		"fewer files":          {archiveOf(1, 2, file), "EOF"},
		"a file twice":         {archiveOf(1, 2, file, file), "damaged"},
		"a name with a slash":  {archiveOf(1, 1, [2]string{"../x", "x"}), "damaged"},
		"a backslash":          {archiveOf(1, 1, [2]string{`a\b`, "x"}), "damaged"},
		"the folder itself":    {archiveOf(1, 1, [2]string{".", "x"}), "damaged"},
		"the folder above":     {archiveOf(1, 1, [2]string{"..", "x"}), "damaged"},
		"no name":              {archiveOf(1, 1, [2]string{"", "x"}), "damaged"},
		"a name that is long":  {archiveOf(1, 1, [2]string{strings.Repeat("x", 256), "x"}), "damaged"},
		"no database":          {archiveOf(1, 1, file), "open the database"},
		"a database of nobody": {archiveOf(1, 1, [2]string{"CURRENT", "x"}), "open the database"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := busy(t, vfs.NewMem())
			hash, memory := n.hash(), n.memory()
			err := n.Restore(io.NopCloser(bytes.NewReader(tc.archive)))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
			equal(t, "hash", n.hash(), hash)
			equal(t, "memory", n.memory(), memory)
			equal(t, "left", strings.Join(n.names(), " "), "CURRENT db-1 snapshots")
			n.do(plan(3))
		})
	}
}

// FuzzRestore: whatever comes instead of an archive, the state stays. It looks
// at the whole state only if an archive was taken, since that one is good.
func FuzzRestore(f *testing.F) {
	n := busy(f, vfs.NewMem())
	_, good := n.stream()
	f.Add(good)
	f.Add(good[:100])
	f.Add(archiveOf(1, 2, [2]string{"a", "x"}, [2]string{"b", ""}))
	hash, s := n.hash(), n.Store
	f.Fuzz(func(t *testing.T, b []byte) {
		before := s.state
		if err := s.Restore(io.NopCloser(bytes.NewReader(b))); err != nil {
			equal(t, "the state is the same", s.state == before, true)
			return
		}
		_, got, err := s.Hash()
		equal(t, "error", err, nil)
		equal(t, "hash", got, hash)
	})
}
