package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// A record on disk, all numbers big endian:
//
//	4 bytes  length of the data
//	8 bytes  number of the record
//	4 bytes  CRC-32C of the data
//	4 bytes  CRC-32C of the 16 bytes before
//	n bytes  data
//
// The header has a checksum of its own: only a length that can be trusted tells
// a record that was cut off from one that has changed, and where the next begins.
const headerSize = 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("record is cut off")
	errChanged = errors.New("record is not what was written")
)

// maxRecord bounds a record; the hub sends none that comes near.
const maxRecord = 64 << 20

// writeHeader writes the header of record n into the place that b has for it
// before the data.
func writeHeader(b []byte, n uint64) {
	data := b[headerSize:]
	binary.BigEndian.PutUint32(b, uint32(len(data))) //nolint:gosec // Push refuses longer ones
	binary.BigEndian.PutUint64(b[4:], n)
	binary.BigEndian.PutUint32(b[12:], crc32.Checksum(data, castagnoli))
	binary.BigEndian.PutUint32(b[16:], crc32.Checksum(b[:16], castagnoli))
}

// header is what stands before the data.
type header struct {
	length int
	n      uint64
	sum    uint32
}

func readHeader(b []byte) (h header, err error) {
	if len(b) < headerSize {
		return h, errTorn
	}
	if crc32.Checksum(b[:16], castagnoli) != binary.BigEndian.Uint32(b[16:]) {
		return h, errChanged
	}
	return header{int(binary.BigEndian.Uint32(b)), binary.BigEndian.Uint64(b[4:]), binary.BigEndian.Uint32(b[12:])}, nil
}

// cutRecord reads the record at the beginning of b. A record whose data has
// changed still tells its size; otherwise the size is 0.
func cutRecord(b []byte) (n uint64, data []byte, size int, err error) {
	h, err := readHeader(b)
	if err != nil {
		return 0, nil, 0, err
	}
	size = headerSize + h.length
	if len(b) < size {
		return h.n, nil, 0, errTorn
	}
	data = b[headerSize:size]
	if crc32.Checksum(data, castagnoli) != h.sum {
		return h.n, nil, size, errChanged
	}
	return h.n, data, size, nil
}

// findRecord looks for the next whole record behind one that has changed.
func findRecord(b []byte, behind uint64) (at int, found bool) {
	for at = range b {
		if n, _, _, err := cutRecord(b[at:]); err == nil && n > behind {
			return at, true
		}
	}
	return 0, false
}
