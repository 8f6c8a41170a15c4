// Node's own http2: one call both ways at once, and one that is cancelled; what came of them as JSON.
import http2 from 'node:http2'

const { url, path, waiting, authorization } = JSON.parse(process.argv[2])
const session = http2.connect(url)

function frame(message) {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function begin(at) {
  return session.request({
    ':method': 'POST', ':path': at, authorization, 'content-type': 'application/grpc', te: 'trailers',
  })
}

function talk() {
  return new Promise((resolve, reject) => {
    const stream = begin(path)
    const seen = { messages: [], status: 0, trailers: {} }
    let here = Buffer.alloc(0)
    let sent = 0
    const send = () => stream.write(frame(Buffer.from(String(sent++))))
    stream.on('response', headers => { seen.status = headers[':status'] })
    stream.on('data', data => {
      here = Buffer.concat([here, data])
      while (here.length >= 5 && here.length >= 5 + here.readUInt32BE(1)) {
        const size = here.readUInt32BE(1)
        seen.messages.push(here.subarray(5, 5 + size).toString())
        here = here.subarray(5 + size)
        if (sent < 10) send()
        else stream.end()
      }
    })
    stream.on('trailers', trailers => { seen.trailers = trailers })
    stream.on('end', () => resolve(seen))
    stream.on('error', reject)
    send()
  })
}

function cancel() {
  return new Promise((resolve, reject) => {
    const stream = begin(waiting)
    stream.on('data', () => stream.close(http2.constants.NGHTTP2_CANCEL))
    stream.on('close', () => resolve(stream.rstCode))
    stream.on('error', reject)
    stream.end(frame(Buffer.alloc(0)))
  })
}

const seen = await talk()
seen.cancelled = await cancel()
session.close()
console.log(JSON.stringify(seen))
