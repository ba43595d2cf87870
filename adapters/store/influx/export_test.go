package influx

import (
	"bytes"
	"context"
	"math"
	"net"
	"net/http"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
)

// OpenWith is Open with connections that dial makes.
func OpenWith(
	ctx context.Context, cfg Config, dial func(ctx context.Context, network, address string) (net.Conn, error),
) (*Store, func(), error) {
	client, closeClient := newClientOn(dial, cfg, nil)
	s, err := newStore(ctx, client, cfg)

	return s, closeClient, err
}

// NewCompressing is New with Config.Compress.
func NewCompressing(ctx context.Context, transport http.RoundTripper) (*Store, error) {
	client := influxdb2.NewClientWithOptions("http://influx.test", "",
		influxdb2.DefaultOptions().SetApplicationName("test").SetHTTPClient(&http.Client{Transport: transport}))

	return newStore(ctx, client, Config{Compress: true, Lazy: true})
}

// Decode decodes a response to n statements, as a read does, and returns how many rows it has.
func Decode(body []byte, n int) (rows int, err error) {
	h := rowCounter{}
	r := responseDecoder{decoder: newDecoder(bytes.NewReader(body), math.MaxInt64), handler: &h}
	err = r.decode(query{statements: n})
	return h.rows, err
}

// rowCounter counts the rows of a response and skips their values.
type rowCounter struct{ rows, columns int }

func (c *rowCounter) beginTable(t table) error {
	c.columns = len(t.columns)
	return nil
}

func (c *rowCounter) decodeRow(d *decoder) error {
	c.rows++
	for range c.columns {
		if _, err := d.readValue(); err != nil {
			return err
		}
	}

	return nil
}

// DecodeTime decodes one time.
func DecodeTime(body []byte) (int64, error) {
	return newDecoder(bytes.NewReader(body), math.MaxInt64).readTime()
}

// DecimalFromFloat and SurvivesFloat are the two directions of a float field.
var (
	DecimalFromFloat = decimalFromFloat
	SurvivesFloat    = survivesFloat
)
