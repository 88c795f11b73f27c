package client

import "time"

// SetSilence is how long streams may say nothing.
func (c *Client) SetSilence(d time.Duration) { c.silence = d }

// SetMaxAnswer is how long an answer may be that is read whole.
func (c *Client) SetMaxAnswer(n int64) { c.maxAnswer = n }

// Pause is how long the client waits after so many failures in a row.
var Pause = pause
