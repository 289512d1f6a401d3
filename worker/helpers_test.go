// SPDX-License-Identifier: MIT

package worker

import (
	"os/exec"
	"testing"
)

// TestHelpers runs the tests of what this directory has for other languages.
func TestHelpers(t *testing.T) {
	for dir, words := range map[string][]string{
		"js":     {"node", "--test", "."},
		"python": {"python3", "-B", "-W", "error::ResourceWarning", "-m", "unittest"},
		"ruby":   {"ruby", "-w", "test_worker.rb"},
	} {
		t.Run(dir, func(t *testing.T) {
			program, err := exec.LookPath(words[0])
			if err != nil {
				t.Skip(words[0] + " is not installed")
			}
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), program, words[1:]...)
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", words, err, out)
			}
		})
	}
}
