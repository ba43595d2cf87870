package ports

import (
	"encoding/json"
	"strconv"
	"time"
)

// seconds returns the duration as JSON has it: a number of seconds, exact to the nanosecond for a century.
func seconds(d time.Duration) json.Number {
	return json.Number(strconv.FormatFloat(d.Seconds(), 'f', -1, 64))
}
