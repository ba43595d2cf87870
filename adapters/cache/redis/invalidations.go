package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/ports"
)

const (
	// heartbeat is how long a subscription hears nothing before it asks the server whether it is there.
	heartbeat = 5 * time.Second

	// subscribeTimeout bounds the connection of a subscription: nobody waits for it.
	subscribeTimeout = 2 * time.Second
)

// notice is a message on the channel.
type notice struct {
	From    string               `json:"from"`
	Changes []ports.Invalidation `json:"changes"`
}

func (c *Cache) channel() string { return c.prefix + "invalidations" }

// Publish tells every process that subscribes.
func (c *Cache) Publish(ctx context.Context, changes ...ports.Invalidation) error {
	message, err := json.Marshal(notice{From: c.name, Changes: changes})
	if err == nil {
		err = c.do(ctx, func(ctx context.Context) error { return c.client.Publish(ctx, c.channel(), message).Err() })
	}
	if err != nil {
		return fmt.Errorf("redis: publish invalidations: %w", err)
	}

	return nil
}

// Subscribe hears what other processes publish; not what this Cache does.
func (c *Cache) Subscribe(ctx context.Context) (iter.Seq2[ports.Invalidation, error], error) {
	ps := c.client.Subscribe(ctx, c.channel())
	stop := context.AfterFunc(ctx, func() { _ = ps.Close() }) // a read that waits does not look at its context
	end := func() {
		stop()
		_ = ps.Close()
	}
	if _, err := ps.ReceiveTimeout(ctx, subscribeTimeout); err != nil { // the first message says that it stands
		end()
		return nil, subscription(ctx, err)
	}

	return func(yield func(ports.Invalidation, error) bool) {
		defer end()
		for {
			message, err := c.receive(ctx, ps)
			if err != nil {
				yield(ports.Invalidation{}, subscription(ctx, err))
				return
			}

			for _, change := range message.Changes {
				if !yield(change, nil) {
					return
				}
			}
		}
	}, nil
}

// receive waits for the next message of another process. One that is none is passed over.
func (c *Cache) receive(ctx context.Context, ps *redis.PubSub) (notice, error) {
	asked := false
	for {
		answer, err := ps.ReceiveTimeout(ctx, heartbeat)
		if silence := (net.Error)(nil); errors.As(err, &silence) && silence.Timeout() && !asked && ctx.Err() == nil {
			if err := ps.Ping(ctx); err != nil {
				return notice{}, err
			}

			asked = true

			continue
		}
		if err != nil {
			return notice{}, err
		}

		asked = false
		var n notice
		if m, ok := answer.(*redis.Message); ok && json.Unmarshal([]byte(m.Payload), &n) == nil && n.From != c.name {
			return n, nil
		}
	}
}

// subscription is the error that ends one.
func subscription(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("redis: subscription to invalidations: %w", err)
}
