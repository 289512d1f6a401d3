// SPDX-License-Identifier: GPL-3.0-or-later

//go:build !linux

package notify

import (
	"errors"
	"syscall"
)

// HasSocket tells whether there can be a NOTIFY_SOCKET that knows its senders.
const HasSocket = false

// Place is where the sockets of workers are to be.
type Place struct {
	Dir    string
	Others bool
}

// Socket is for Linux only: elsewhere a datagram's sender cannot be told by all
// of sd_notify(3)'s implementations alike.
func Socket(Place) (fd int, name string, err error) {
	return 0, "", errors.New("this system does not tell who sent a datagram")
}

const oobSize = 0

func (r *reader) datagram(int) (datagram, error) { return datagram{}, syscall.ENOTSUP }

func (r *reader) accepts(datagram) bool { return false }

func isAgain(err error) bool { return err == syscall.EAGAIN }
