package redis

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

const (
	magic         = "mdblock\x03" // the last byte is the format version
	flagsAt       = len(magic)
	revisionAt    = flagsAt + 1
	nonceAt       = revisionAt + 8
	barsAt        = nonceAt + 8
	macSize       = 16
	validatedFlag = 1

	// maxValue is more bytes than any value has: 4096 bars of twelve unpacked words, and the headers.
	maxValue = 512 << 10
)

// errRejected is wrapped by the error for bytes that are not the value of a key.
var errRejected = errors.New("value rejected")

// valueCodec encodes blocks as values of Redis, and decodes them.
type valueCodec struct {
	prefix string
	macKey []byte
}

// name returns the key in Redis. Keys of valid series have different names, whatever the name of the store, because
// none of the last four parts has a space.
func (v valueCodec) name(key blockcache.Key) string {
	k := key.Series
	return fmt.Sprintf("%s%s %s %s %s %d", v.prefix, key.Store, k.Symbol, k.Grid, k.PriceType, key.Index)
}

// encode returns the block as the value of the key. A block without bars, with too many, or of another series is an
// error.
func (v valueCodec) encode(key blockcache.Key, block blockcache.Block) ([]byte, error) {
	if block.Bars.Key() != key.Series {
		return nil, fmt.Errorf("block of %s under a key of %s: %w", block.Bars.Key(), key.Series, domain.ErrInvalid)
	}

	const bytesPerBar = 16 // about, packed
	b := make([]byte, 0, 512+bytesPerBar*block.Bars.Len())
	b = append(b, magic...)
	var flags byte
	if block.Validated {
		flags = validatedFlag
	}
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(block.Version.Revision))
	b = binary.LittleEndian.AppendUint64(b, block.Version.Nonce)
	b, err := codec.Append(b, block.Bars)
	if err != nil {
		return nil, err
	}

	return append(b, v.mac(key, b)...), nil
}

// mac returns the authentication code of the value whose other bytes are b.
func (v valueCodec) mac(key blockcache.Key, b []byte) []byte {
	name := v.name(key)
	mac := hmac.New(sha256.New, v.macKey)
	mac.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(name))))
	mac.Write([]byte(name))
	mac.Write(b)

	return mac.Sum(nil)[:macSize]
}

// decode returns the block in the value of the key. An error wraps errRejected.
func (v valueCodec) decode(key blockcache.Key, b []byte) (blockcache.Block, error) {
	macAt := len(b) - macSize
	if len(b) > maxValue || macAt < barsAt || string(b[:flagsAt]) != magic {
		return blockcache.Block{}, fmt.Errorf("%d bytes without the header of this version: %w", len(b), errRejected)
	}
	if !hmac.Equal(v.mac(key, b[:macAt]), b[macAt:]) {
		return blockcache.Block{}, fmt.Errorf("authentication code of another key or other bytes: %w", errRejected)
	}
	if b[flagsAt] > validatedFlag {
		return blockcache.Block{}, fmt.Errorf("flags %#x: %w", b[flagsAt], errRejected)
	}

	bars, err := decodeBars(key, b[barsAt:macAt])
	if err != nil {
		return blockcache.Block{}, fmt.Errorf("%w: %w", errRejected, err)
	}

	return blockcache.Block{
		Version: domain.Version{
			Revision: int64(binary.LittleEndian.Uint64(b[revisionAt:])),
			Nonce:    binary.LittleEndian.Uint64(b[nonceAt:]),
		},
		Bars:      bars,
		Validated: b[flagsAt] == validatedFlag,
	}, nil
}

// decodeBars returns the packed bars, which must open within the block of the key.
func decodeBars(key blockcache.Key, packed []byte) (domain.Series, error) {
	chunk, err := codec.Open(packed)
	if err != nil {
		return domain.Series{}, err
	}

	start, end := domain.BarBlocks(key.Series.Grid).Bounds(key.Index)
	if first, last := chunk.Bounds(); first < start || last >= end {
		return domain.Series{}, errors.New("bars outside of the block")
	}

	return chunk.Series(key.Series)
}
