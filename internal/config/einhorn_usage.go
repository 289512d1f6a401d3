// SPDX-License-Identifier: GPL-3.0-or-later

package config

import "strings"

// Scripts know einhorn's usage text by its first line.
const einhornHead = `## Usage

    einhorn [OPTIONS] [--] PROGRAM [PROGRAM_ARGS]

Run several workers of PROGRAM on shared listening sockets, and replace them
without losing a connection. This is einhyrningsins, called by einhorn's name:
it reads einhorn's command line. Options end at the first word that is none.
`

const einhornTail = `
TMP is $TMPDIR, or /tmp. A long option can be cut short while it is unambiguous.

### Examples

  einhorn -n 4 -b 0.0.0.0:80,r -m manual -c web -- server
      four workers of server on port 80, which say so when they are ready
  einhornsh -c web -e upgrade
      replace all of them by new ones, and wait until that is done

Exit status: 0 after a stop that was asked for, otherwise 1. See einhorn(1).
Much more can be said under our own name: see einhyrningsins --help.
`

// EinhornUsage returns the usage text of einhorn's command line.
func EinhornUsage() string {
	return strings.Replace(einhorn.usage(), einhornGroup+":\n", einhornGroup+"\n\n", 1)
}
