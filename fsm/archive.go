package fsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// An archive is a folder of files as one stream whose size is known before it is
// read. All integers are big-endian:
//
//	magic [8]byte, format uint32, files uint32, CRC-32C uint32 of these
//	for each file: length of the name uint16, size uint64, name, CRC-32C uint32
//	of these; content; CRC-32C uint32 of the content
const (
	archiveMagic  = "CRONRAFT"
	archiveFormat = 1

	checksumBytes   = 4
	headBytes       = len(archiveMagic) + 4 + 4
	fileHeadBytes   = 2 + 8
	maxArchiveName  = 255
	maxArchiveFiles = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// withChecksum ends b with its checksum.
func withChecksum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// archive streams the files of a folder of its own, which Close removes.
type archive struct {
	io.Reader
	files vfs.FS
	dir   string
	size  int64
	open  *archivedFile // the one being read
}

// newArchive makes the stream of a folder that nothing changes.
func newArchive(files vfs.FS, dir string) (*archive, error) {
	names, err := files.List(dir)
	if err != nil {
		return nil, err
	}
	a := &archive{files: files, dir: dir}
	head := binary.BigEndian.AppendUint32([]byte(archiveMagic), archiveFormat)
	parts := a.part(nil, withChecksum(binary.BigEndian.AppendUint32(head, uint32(len(names)))))
	for _, name := range names {
		info, err := files.Stat(files.PathJoin(dir, name))
		if err != nil {
			return nil, err
		}
		parts = a.part(parts, fileHead(name, info.Size()))
		parts = append(parts, &archivedFile{archive: a, name: name, left: info.Size(), sum: crc32.New(castagnoli)})
		a.size += info.Size() + checksumBytes
	}
	a.Reader = io.MultiReader(parts...)
	return a, nil
}

func (a *archive) part(parts []io.Reader, b []byte) []io.Reader {
	a.size += int64(len(b))
	return append(parts, bytes.NewReader(b))
}

func fileHead(name string, size int64) []byte {
	head := binary.BigEndian.AppendUint16(nil, uint16(len(name)))
	head = binary.BigEndian.AppendUint64(head, uint64(size))
	return withChecksum(append(head, name...))
}

// Close ends the stream and removes the folder.
func (a *archive) Close() error {
	var err error
	if a.open != nil {
		err = a.open.close()
	}
	return errors.Join(err, a.files.RemoveAll(a.dir))
}

// archivedFile reads one file and then its checksum. It is opened at the first
// read, so that an archive has one file open at a time.
type archivedFile struct {
	archive *archive
	name    string
	left    int64
	sum     hash.Hash32
	file    vfs.File
	tail    *bytes.Reader // the checksum, once the content is read
}

func (f *archivedFile) Read(b []byte) (int, error) {
	if f.tail != nil {
		return f.tail.Read(b)
	}
	if f.left == 0 {
		f.tail = bytes.NewReader(binary.BigEndian.AppendUint32(nil, f.sum.Sum32()))
		return 0, f.close()
	}
	if err := f.begin(); err != nil {
		return 0, err
	}
	n, err := f.file.Read(b[:min(int64(len(b)), f.left)])
	_, _ = f.sum.Write(b[:n])
	f.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

func (f *archivedFile) begin() (err error) {
	if f.file != nil {
		return nil
	}
	f.file, err = f.archive.files.Open(f.archive.files.PathJoin(f.archive.dir, f.name))
	f.archive.open = f
	return err
}

func (f *archivedFile) close() error {
	if f.file == nil {
		return nil
	}
	file := f.file
	f.file, f.archive.open = nil, nil
	return file.Close()
}

// extract writes the files of an archive into a folder, durably. Whatever else
// the stream holds is an error: it comes from another node.
func extract(from io.Reader, files vfs.FS, dir string) error {
	head, err := readChecked(from, headBytes)
	if err != nil {
		return fmt.Errorf("read the head of the archive: %w", err)
	}
	count, err := parseHead(head)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for range count {
		if err := extractFile(from, files, dir, seen); err != nil {
			return err
		}
	}
	if n, err := io.ReadFull(from, make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("the archive does not end after %d files: %w", count, errors.Join(err, errDamaged))
	}
	return syncDir(files, dir)
}

var errDamaged = errors.New("the archive is damaged")

func parseHead(head []byte) (count uint32, err error) {
	format := binary.BigEndian.Uint32(head[len(archiveMagic):])
	count = binary.BigEndian.Uint32(head[len(archiveMagic)+4:])
	switch {
	case string(head[:len(archiveMagic)]) != archiveMagic:
		return 0, fmt.Errorf("this is no archive of a store: %w", errDamaged)
	case format > archiveFormat:
		return 0, fmt.Errorf("the archive has format %d and this program reads %d at most: upgrade this node", format, archiveFormat)
	case format == 0 || count == 0 || count > maxArchiveFiles:
		return 0, fmt.Errorf("the archive has format %d and %d files: %w", format, count, errDamaged)
	}
	return count, nil
}

func extractFile(from io.Reader, files vfs.FS, dir string, seen map[string]bool) error {
	name, size, err := readFileHead(from)
	if err != nil {
		return fmt.Errorf("read the head of a file: %w", err)
	}
	if !validName(name) || seen[name] {
		return fmt.Errorf("there is a file %q: %w", name, errDamaged)
	}
	seen[name] = true
	f, err := files.Create(files.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	sum := crc32.New(castagnoli)
	_, err = io.CopyN(f, io.TeeReader(from, sum), size)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("extract %s: %w", name, err)
	}
	var tail [checksumBytes]byte
	if _, err := io.ReadFull(from, tail[:]); err != nil {
		return fmt.Errorf("extract %s: %w", name, err)
	}
	if binary.BigEndian.Uint32(tail[:]) != sum.Sum32() {
		return fmt.Errorf("the content of %s has another checksum: %w", name, errDamaged)
	}
	return nil
}

// readFileHead reads the fixed part of a file's head, to know how long the rest
// is, and then the rest.
func readFileHead(from io.Reader) (name string, size int64, err error) {
	fixed := make([]byte, fileHeadBytes)
	if _, err := io.ReadFull(from, fixed); err != nil {
		return "", 0, err
	}
	length := int(binary.BigEndian.Uint16(fixed))
	if length > maxArchiveName {
		return "", 0, errDamaged
	}
	head, err := readChecked(io.MultiReader(bytes.NewReader(fixed), from), fileHeadBytes+length)
	if err != nil {
		return "", 0, err
	}
	size = int64(binary.BigEndian.Uint64(head[2:]))
	if size < 0 {
		return "", 0, errDamaged
	}
	return string(head[fileHeadBytes:]), size, nil
}

// readChecked reads n bytes and the checksum after them.
func readChecked(from io.Reader, n int) ([]byte, error) {
	b := make([]byte, n+checksumBytes)
	if _, err := io.ReadFull(from, b); err != nil {
		return nil, err
	}
	if !bytes.Equal(withChecksum(b[:n:n]), b) {
		return nil, errDamaged
	}
	return b[:n], nil
}

// validName reports whether a file of that name stays in its folder, on every
// system.
func validName(name string) bool {
	return name != "" && strings.Trim(name, ".") != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	})
}
