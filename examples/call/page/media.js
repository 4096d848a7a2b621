// What this side sends: camera and microphone if there are any and they are allowed. Until then, and without them, a
// drawn picture, so that a call always works.

async function ask(wanted) {
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch {
    return null;  // none there, not allowed, or not a secure page
  }
}

export async function openDevices() {
  const audio = { echoCancellation: true, noiseSuppression: true };
  const video = { width: { ideal: 640 }, height: { ideal: 480 } };
  return (await ask({ audio, video })) || (await ask({ audio })) || (await ask({ video }));
}

export function drawnPicture() {
  const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
  const g = canvas.getContext('2d');
  const draw = () => {
    const t = Date.now() / 1000;
    const sky = g.createLinearGradient(0, 0, 640, 480);
    sky.addColorStop(0, `hsl(${(t * 12) % 360} 45% 34%)`);
    sky.addColorStop(1, `hsl(${(t * 12 + 70) % 360} 45% 20%)`);
    g.fillStyle = sky;
    g.fillRect(0, 0, 640, 480);
    g.fillStyle = '#ffffffd0';
    g.beginPath();
    g.arc(320 + 190 * Math.cos(t), 220 + 110 * Math.sin(t * 1.3), 30, 0, 7);
    g.fill();
    g.font = '600 30px system-ui';
    g.fillText('no camera', 26, 452);
  };
  draw();
  const timer = setInterval(draw, 50);
  const [track] = canvas.captureStream(20).getVideoTracks();
  return { track, stop: () => { clearInterval(timer); track.stop(); } };
}
