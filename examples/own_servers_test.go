// SPDX-License-Identifier: GPL-3.0-or-later

package examples

import "testing"

// TestOwnWorkers puts the workers of this project to the test of the others.
func TestOwnWorkers(t *testing.T) {
	for name, s := range map[string]server{
		"go":     {program: []string{goBinary, "-build", "{generation}"}},
		"node":   {needs: []string{"node"}, program: []string{"node", "node-http/server.js", "--build", "{generation}"}},
		"python": {needs: []string{"python3"}, program: []string{"python3", "python-http/server.py", "--build", "{generation}"}},
		"ruby":   {needs: []string{"ruby"}, program: []string{"ruby", "ruby-http/server.rb", "--build", "{generation}"}},
	} {
		t.Run(name, func(t *testing.T) {
			s.options, s.newest = []string{"-m"}, "build=21"
			s.traffic = hesitantTraffic
			survivesUpgrades(t, s)
		})
	}
}
