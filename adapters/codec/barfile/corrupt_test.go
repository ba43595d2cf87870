package barfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/domain"
)

// goldenBytes returns the golden file.
func goldenBytes(tb testing.TB) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "v1.bars"))
	if err != nil {
		tb.Fatal(err)
	}

	return b
}

// readAll reads all bars of a file and stops at the first error.
func readAll(b []byte) ([]domain.Series, error) {
	f, err := newFile("file", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}

	var all []domain.Series
	for _, k := range f.Keys() {
		for s, err := range f.Bars(k, f.Range(k)) {
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}

	return all, nil
}

func TestFlippedBitsAreRejected(t *testing.T) {
	t.Parallel()
	b := goldenBytes(t)
	for bit := range 8 * len(b) {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := readAll(b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("bit %d of byte %d flipped: %v, want ErrCorrupt", bit%8, bit/8, err)
		}

		b[bit/8] ^= 1 << (bit % 8)
	}
}

func TestTruncationsAreRejected(t *testing.T) {
	t.Parallel()
	b := goldenBytes(t)
	for n := range b {
		if _, err := readAll(b[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v, want ErrCorrupt", n, len(b), err)
		}
	}
}

// reindex replaces the index of a file by the result of change and corrects the trailer.
func reindex(b []byte, change func(encoded []byte) []byte) []byte {
	end := len(b) - trailerSize
	if end < 0 {
		return b
	}

	offset := int64(binary.LittleEndian.Uint64(b[end:]))
	if offset < 0 || offset > int64(end) {
		return b
	}

	encoded := change(slices.Clone(b[offset:end]))
	forged := append(slices.Clone(b[:offset]), encoded...)

	return appendTrailer(forged, encoded, offset)
}

// A reader must reject a wrong index even if its checksum is correct.
func TestForgedIndexIsRejected(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, forged string }{
		{"not JSON", `{"series"`, `["series"`},
		{"hostile symbol", `"symbol":"BTC/USD"`, `"symbol":"btc; --"`},
		{"repeated series", `"symbol":"ETH/USD"`, `"symbol":"BTC/USD"`},
		{"wrong grid", `"grid":"1m"`, `"grid":"1h"`},
		{"wrong count", `"bars":23`, `"bars":22`},
		{"no bars", `"bars":23`, `"bars":0`},
		{"wrong offset", `"at":8,`, `"at":9,`},
		{"offset before the file", `"at":8,`, `"at":-8,`},
		{"offset beyond the file", `"at":8,`, `"at":9223372036854775807,`},
		{"wrong first time", `"first":0`, `"first":60000000`},
		{"last before first", `"first":0`, `"first":999999999999`},
	} {
		found := false
		b := reindex(goldenBytes(t), func(encoded []byte) []byte {
			found = bytes.Contains(encoded, []byte(test.old))
			return bytes.Replace(encoded, []byte(test.old), []byte(test.forged), 1)
		})
		if _, err := readAll(b); !found || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v (found %v), want ErrCorrupt", test.name, err, found)
		}
	}
}

// Members that a later program adds to the index must not prevent reading.
func TestUnknownMemberIsSkipped(t *testing.T) {
	t.Parallel()
	b := reindex(goldenBytes(t), func(encoded []byte) []byte {
		return bytes.Replace(encoded, []byte(`{"series"`), []byte(`{"later":"yes","series"`), 1)
	})
	if all, err := readAll(b); err != nil || len(all) != 2 {
		t.Errorf("%d series, %v; want 2", len(all), err)
	}
}

// FuzzOpen verifies that reading any file yields bars or ErrCorrupt.
func FuzzOpen(f *testing.F) {
	b := goldenBytes(f)
	f.Add(b, true)
	f.Add(b[:len(b)/2], false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = reindex(b, func(encoded []byte) []byte { return encoded })
		}
		if _, err := readAll(b); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
	})
}
