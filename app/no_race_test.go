//go:build !race

package app_test

import "time"

// maxRefusal is the mean time of a refusal.
const maxRefusal = 10 * time.Microsecond
