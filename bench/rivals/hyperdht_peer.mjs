// One end of a connection by hyperdht, or one node of its network: JSON lines in and
// out, as _rivals.py wants.
//
//     node hyperdht_peer.mjs first|node HOST PORT BOOTSTRAP...
//     node hyperdht_peer.mjs offers|answers BOOTSTRAP...

import readline from 'node:readline'
import DHT from 'hyperdht'

const [role, ...words] = process.argv.slice(2)
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const told = readline.createInterface({ input: process.stdin })

if (role === 'first') {
  const node = DHT.bootstrapper(Number(words[1]), words[0])
  await node.fullyBootstrapped()
  say({ ready: true })
} else if (role === 'node') {
  const [host, port, ...bootstrap] = words
  const node = new DHT({ bootstrap, host, port: Number(port), ephemeral: false, firewalled: false })
  await node.fullyBootstrapped()
  say({ ready: true })
} else if (role === 'offers') {
  // The one who is called: announces itself, its key is the signal.
  const node = new DHT({ bootstrap: words })
  const server = node.createServer((socket) => {
    socket.on('error', () => {})
    say({ connected: true })
  })
  const keys = DHT.keyPair()
  await server.listen(keys)
  say({ signal: keys.publicKey.toString('hex') })
} else {
  const node = new DHT({ bootstrap: words })
  await node.fullyBootstrapped()
  told.on('line', (line) => {
    say({ signal: 'dials' })
    const socket = node.connect(Buffer.from(JSON.parse(line).signal, 'hex'))
    socket.on('open', () => say({ connected: true }))
    socket.on('error', (error) => say({ failed: error.message }))
  })
}
