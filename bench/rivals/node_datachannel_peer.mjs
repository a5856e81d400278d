// One end of a data channel by node-datachannel (libdatachannel, libjuice): JSON lines
// in and out, as _rivals.py wants.
//
//     node node_datachannel_peer.mjs offers|answers STUN-HOST STUN-PORT

import readline from 'node:readline'
import datachannel from 'node-datachannel'

const [role, host, port] = process.argv.slice(2)
const say = (words) => process.stdout.write(JSON.stringify(words) + '\n')

const peer = new datachannel.PeerConnection(role, {
  iceServers: [`stun:${host}:${port}`]
})
peer.onLocalDescription((sdp, type) => say({ signal: { sdp, type } }))
peer.onLocalCandidate((candidate, mid) => say({ signal: { candidate, mid } }))
peer.onStateChange((state) => {
  if (state === 'connected') say({ connected: true })
  if (state === 'failed') say({ failed: state })
})
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { sdp, type, candidate, mid } = JSON.parse(line).signal
  if (sdp) peer.setRemoteDescription(sdp, type)
  else peer.addRemoteCandidate(candidate, mid)
})
if (role === 'offers') peer.createDataChannel('x')
