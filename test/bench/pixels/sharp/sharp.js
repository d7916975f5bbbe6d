// The least that serves pictures by sharp: GET /WIDTH/HEIGHT/FORMAT/QUALITY/FILE, of a folder; a height of 0 follows from the width.
// Arguments: the folder of node_modules, the folder of originals. It prints its port and versions.
const http = require('http'), path = require('path')
const sharp = require(path.join(process.argv[2], 'node_modules', 'sharp'))
const folder = process.argv[3]
sharp.cache(false)
sharp.concurrency(1) // as many at once as Node has threads for it
const effort = { jpeg: {}, webp: { effort: 2 }, avif: { effort: 1 } }

const server = http.createServer(async (req, res) => {
  const [, width, height, format, quality, file] = req.url.split('/')
  const size = height === '0' ? { width: +width, withoutEnlargement: true } : { width: +width, height: +height, fit: 'cover', position: 'attention' }
  try {
    const made = await sharp(path.join(folder, path.basename(file))).autoOrient().resize(size)[format]({ quality: +quality, ...effort[format] }).toBuffer()
    res.writeHead(200, { 'Content-Type': 'image/' + format, 'Content-Length': made.length }).end(made)
  } catch (err) {
    res.writeHead(500).end(String(err))
  }
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port} sharp ${sharp.versions.sharp} libvips ${sharp.versions.vips}`))
