package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A record on disk is its length, its CRC-32C, its number, and its data:
//
//	4 bytes  length of the data     (big endian)
//	4 bytes  CRC-32C of the rest
//	8 bytes  number
//	n bytes  data
const headerSize = 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errTorn    = errors.New("record is cut off")
	errChanged = errors.New("record is not what was written")
)

// maxRecord bounds what a damaged length makes anybody allocate.
const maxRecord = 64 << 20

func appendRecord(b []byte, n uint64, data []byte) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // Push refuses longer ones
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, n)
	b = append(b, data...)
	sum := crc32.Update(crc32.Checksum(b[start:start+4], castagnoli), castagnoli, b[start+8:])
	binary.BigEndian.PutUint32(b[start+4:], sum)
	return b
}

// readRecord reads the next record: io.EOF at a clean end, errTorn when the
// rest is too short for one, errChanged when it is none.
func readRecord(r io.Reader) (n uint64, data []byte, err error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, nil, errTorn
		}
		return 0, nil, err
	}
	length := binary.BigEndian.Uint32(h[:])
	if length > maxRecord {
		return 0, nil, fmt.Errorf("%w: length %d", errChanged, length)
	}
	data = make([]byte, length)
	if _, err := io.ReadFull(r, data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, nil, errTorn
		}
		return 0, nil, err
	}
	sum := crc32.Update(crc32.Checksum(h[:4], castagnoli), castagnoli, h[8:])
	if crc32.Update(sum, castagnoli, data) != binary.BigEndian.Uint32(h[4:]) {
		return 0, nil, errChanged
	}
	return binary.BigEndian.Uint64(h[8:]), data, nil
}
