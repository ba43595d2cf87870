package redis

import (
	"context"
	"crypto/rand"

	"github.com/redis/go-redis/v9"
)

// maxGeneration bounds the text of a generation, which is 26 bytes.
const maxGeneration = 64

func (c *Cache) generationName() string { return c.prefix + "generation" }

// observe notes the generation that the server has, and returns it with the name of the server's run, because values
// that a server reads from a disk, or gets from another server, must not count as its own.
func (c *Cache) observe(text string) (generation string) {
	run := c.run.Load()
	if text == "" || run == nil {
		c.seen.Store(nil)
		return ""
	}

	generation = *run + " " + text
	c.seen.Store(&generation)

	return generation
}

// generation is the one last seen, else the server's, which it gets where it has none.
func (c *Cache) generation(ctx context.Context) (string, error) {
	if seen := c.seen.Load(); seen != nil {
		return *seen, nil
	}

	var text *redis.StringCmd
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, c.generationName(), rand.Text(), 0)
		text = p.GetRange(ctx, c.generationName(), 0, maxGeneration-1)
		return nil
	})
	if err != nil {
		return "", err
	}

	return c.observe(text.Val()), nil
}
