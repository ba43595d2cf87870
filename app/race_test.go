//go:build race

package app_test

import "time"

// maxRefusal is the mean time of a refusal. The race detector takes ten times as long.
const maxRefusal = 100 * time.Microsecond
