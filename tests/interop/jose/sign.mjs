// An org that none of us wrote: serves its keys, prints where, and signs each line {alg, header, claims} of its input.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'

const keys = {}
const published = []
for (const alg of ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  published.push({ ...jwk, kid, alg, use: 'sig' })
  keys[alg] = { kid, privateKey }
}
const server = createServer((_, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ keys: published }))
})
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))

for await (const line of createInterface({ input: process.stdin })) {
  const { alg, header, claims } = JSON.parse(line)
  if (alg === 'none') {
    console.log(new UnsecuredJWT(claims).encode())
    continue
  }
  const { kid, privateKey } = keys[alg]
  console.log(await new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(privateKey))
}
process.exit()
