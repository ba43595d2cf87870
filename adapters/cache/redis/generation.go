package redis

import (
	"context"
	"crypto/rand"
	"hash/crc32"
	"strconv"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

const (
	// shardCount is how many generations there are: keys share one by their checksum.
	shardCount = 1024

	// maxGeneration bounds the text of a generation, which is 26 bytes.
	maxGeneration = 64
)

// generations is what was last seen of the generation of each shard; nil where that is nothing.
type generations [shardCount]atomic.Pointer[string]

func shardOf(text string) int { return int(crc32.Checksum([]byte(text), castagnoli()) % shardCount) }

func (c *Cache) generationName(shard int) string {
	return c.prefix + "generation:" + strconv.Itoa(shard)
}

// saw notes the generation that the server has, and returns it with the name of the server's run: what a server brings back from a
// disk, or has from another server, is of no generation of its own.
func (c *Cache) saw(shard int, text string) (generation string) {
	run := c.run.Load()
	if text == "" || run == nil {
		c.generations[shard].Store(nil)
		return ""
	}
	generation = *run + " " + text
	c.generations[shard].Store(&generation)
	return generation
}

// generation is the one last seen, else the server's, which it gets where it has none.
func (c *Cache) generation(ctx context.Context, shard int) (string, error) {
	if seen := c.generations[shard].Load(); seen != nil {
		return *seen, nil
	}
	var text *redis.StringCmd
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, c.generationName(shard), rand.Text(), 0)
		text = p.GetRange(ctx, c.generationName(shard), 0, maxGeneration-1)
		return nil
	})
	if err != nil {
		return "", err
	}
	return c.saw(shard, text.Val()), nil
}
