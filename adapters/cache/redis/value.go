package redis

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	magic     = "mdchunk"
	version   = 2
	flagsAt   = headSize
	wordsAt   = flagsAt + 1
	textAt    = wordsAt + 8*8
	sumSize   = 4
	cleanFlag = 1

	// maxValue is more than any value takes: 4096 bars of twelve unpacked words, their key, and the codec's headers.
	maxValue = 512 << 10
)

// Every refusal of a value wraps one of them.
var (
	errPoisoned   = errors.New("poisoned value")
	errVersion    = errors.New("value of another version")
	errGeneration = errors.New("value of another generation")
)

// errUnfit is wrapped by the error of a chunk that cannot be a value.
var errUnfit = errors.New("no value can hold it")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// encode is the chunk as a value under the key, of the generation, beginning with the head. An error wraps errUnfit.
func encode(key ports.ChunkKey, generation, head string, c ports.Chunk) ([]byte, error) {
	text := key.String()
	if len(text) > math.MaxUint16 || len(generation) > math.MaxUint8 {
		return nil, fmt.Errorf("key of %d bytes: %w", len(text), errUnfit)
	}

	const bytesPerBar = 16 // about, packed
	b := make([]byte, 0, textAt+len(text)+256+bytesPerBar*c.Bars.Len())
	b = append(b, head...)
	var flags byte
	if c.Validated {
		flags = cleanFlag
	}
	b = append(b, flags)
	for _, v := range [...]int64{
		int64(c.ClosedBefore), int64(c.ReadAt), int64(c.TailValidUntil), int64(c.ValidUntil),
		int64(key.Start), int64(key.End),
	} {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	for _, v := range c.Claims {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	b = append(b, text...)
	b = append(b, byte(len(generation)))
	b = append(b, generation...)
	b = binary.LittleEndian.AppendUint16(b, uint16(c.Bars.Len()))
	if c.Bars.Len() > 0 {
		var err error
		if b, err = codec.Append(b, c.Bars); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnfit, err)
		}
	}

	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli())), nil
}

// decode is the chunk in a value found under the key, of the generation. An error wraps errVersion or errGeneration
// where the value is sound as far as can be told, but another one's; else errPoisoned.
func decode(key ports.ChunkKey, generation string, b []byte) (ports.Chunk, error) {
	body := len(b) - sumSize
	if len(b) > maxValue || body < len(magic)+1 {
		return ports.Chunk{}, fmt.Errorf("%d bytes: %w", len(b), errPoisoned)
	}
	if string(b[:len(magic)]) != magic {
		return ports.Chunk{}, fmt.Errorf("no value: %w", errPoisoned)
	}
	if crc32.Checksum(b[:body], castagnoli()) != binary.LittleEndian.Uint32(b[body:]) {
		return ports.Chunk{}, fmt.Errorf("checksum: %w", errPoisoned)
	}
	if v := b[len(magic)]; v != version {
		return ports.Chunk{}, fmt.Errorf("version %d: %w", v, errVersion)
	}
	if body < textAt+2+1+2 || b[flagsAt] > cleanFlag {
		return ports.Chunk{}, fmt.Errorf("head: %w", errPoisoned)
	}

	word := func(i int) int64 { return int64(binary.LittleEndian.Uint64(b[wordsAt+8*i:])) }
	keyEnd := textAt + 2 + int(binary.LittleEndian.Uint16(b[textAt:]))
	if keyEnd >= body || string(b[textAt+2:keyEnd]) != key.String() || domain.Micros(word(4)) != key.Start ||
		domain.Micros(word(5)) != key.End {
		return ports.Chunk{}, fmt.Errorf("of another key: %w", errPoisoned)
	}

	bars := keyEnd + 1 + int(b[keyEnd])
	if bars+2 > body {
		return ports.Chunk{}, fmt.Errorf("generation: %w", errPoisoned)
	}
	if string(b[keyEnd+1:bars]) != generation {
		return ports.Chunk{}, errGeneration
	}

	c := ports.Chunk{
		Bars: domain.EmptySeries(key.Series), Validated: b[flagsAt] == cleanFlag,
		ClosedBefore: domain.Micros(word(0)), ReadAt: ports.WallMicros(word(1)),
		TailValidUntil: ports.WallMicros(word(2)), ValidUntil: ports.WallMicros(word(3)),
		Claims: [...]uint64{uint64(word(6)), uint64(word(7))},
	}
	count, packed := int(binary.LittleEndian.Uint16(b[bars:])), b[bars+2:body]
	if count == 0 && len(packed) == 0 {
		return c, nil
	}

	chunk, err := codec.Open(packed)
	if err != nil {
		return ports.Chunk{}, fmt.Errorf("%w: %w", err, errPoisoned)
	}
	if chunk.Len() != count {
		return ports.Chunk{}, fmt.Errorf("%d bars instead of %d: %w", chunk.Len(), count, errPoisoned)
	}
	if first, last := chunk.Bounds(); first < key.Start || last >= key.End {
		return ports.Chunk{}, fmt.Errorf("bars outside of the chunk: %w", errPoisoned)
	}
	if c.Bars, err = chunk.Series(key.Series); err != nil {
		return ports.Chunk{}, fmt.Errorf("%w: %w", err, errPoisoned)
	}

	return c, nil
}
