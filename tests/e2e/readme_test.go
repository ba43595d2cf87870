package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The commands in README's blocks work as they stand there, those of a section one after the other in one folder.
func TestCommandsOfREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}

	for section := range strings.SplitSeq(string(readme), "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		commands := blockCommands(text)
		switch title {
		case "Quick start":
			dir := t.TempDir()
			runCommands(t, dir, commands, 9)
			if _, err := os.Stat(filepath.Join(dir, "cedar.parquet")); err != nil {
				t.Error(err)
			}
		case "Use it from the shell":
			dir := t.TempDir()
			writeShellExample(t, dir)
			runCommands(t, dir, commands, 11)
		case "Point it at your own servers": // TestServers runs migrate and doctor
		default:
			if len(commands) > 0 {
				t.Errorf("section %s has commands that nothing runs: %q", title, commands)
			}
		}
	}
}

// blockCommands returns the arguments of each command in the indented blocks of a section, in their order.
func blockCommands(section string) (commands []string) {
	for line := range strings.Lines(section) {
		if text, isCommand := strings.CutPrefix(line, "    bin/marketdata "); isCommand {
			text, _, _ = strings.Cut(text, " #")
			commands = append(commands, strings.TrimSpace(text))
		}
	}

	return commands
}

// runCommands runs at least minimum commands in the folder, which also has their database. Each must succeed and print.
func runCommands(t *testing.T, dir string, commands []string, minimum int) {
	t.Helper()
	for _, text := range commands {
		cmd := exec.Command(binary, strings.Fields(strings.ReplaceAll(text, "'", ""))...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(dir, "data"), "MARKETDATA_SQLITE_PATH=")
		out, err := cmd.Output()
		if err != nil || len(out) == 0 {
			t.Fatalf("marketdata %s: %v\n%s", text, err, out)
		}
	}
	if len(commands) < minimum {
		t.Errorf("%d commands found; want %d or more: %q", len(commands), minimum, commands)
	}
}

// writeShellExample writes the files that the commands of the shell section read, and imports the data of other sources.
func writeShellExample(t *testing.T, dir string) {
	t.Helper()
	const header = "time,open,high,low,close,volume\n"
	bars := func(start time.Time, step time.Duration, n int) string {
		text := header
		for i := range n {
			text += start.Add(time.Duration(i)*step).Format(time.RFC3339) + ",1,1,1,1,1\n"
		}

		return text
	}

	day, recent := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC), time.Now().UTC().Truncate(time.Hour).Add(-30*time.Hour)
	for name, text := range map[string]string{
		"bars.csv":     bars(day, time.Minute, 1500),
		"day.csv":      header + "2018-04-04,1,1,1,1,1440\n",
		"recent.csv":   bars(recent, time.Hour, 24),
		"servers.yaml": fmt.Sprintf("sqlite:\n  path: %q\n", filepath.Join(dir, "servers.db")),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	runCommands(t, dir, []string{
		"import --symbol COINBASE:BTC/USD --frequency 1d day.csv",
		"import --symbol ETH/USD --frequency 1h recent.csv",
		"--db laptop.db import --symbol COINBASE:BTC/USD --frequency 1m bars.csv",
	}, 3)
}
