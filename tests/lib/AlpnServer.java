// SPDX-License-Identifier: GPL-2.0-only
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/**
 * A TLS 1.3 server on JSSE: java AlpnServer.java PORT CERT KEY ALPN[,ALPN...]
 *
 * An empty ALPN list is no ALPN. Speaks HTTP/1.1 and as much HTTP/2 as a GET takes. For each
 * handshake a line of JSON: port, alpn.
 */
class AlpnServer {
	static final int HEADERS = 1, SETTINGS = 4, PING = 6, GOAWAY = 7;

	public static void main(String[] args) throws Exception {
		SSLServerSocket listener = (SSLServerSocket) context(args[1], args[2])
				.getServerSocketFactory().createServerSocket(Integer.parseInt(args[0]), 50);
		SSLParameters parameters = listener.getSSLParameters();
		parameters.setProtocols(new String[] { "TLSv1.3" });
		if (args.length > 3 && !args[3].isEmpty())
			parameters.setApplicationProtocols(args[3].split(","));
		listener.setSSLParameters(parameters);
		while (true) {
			SSLSocket socket = (SSLSocket) listener.accept();
			new Thread(() -> serve(socket)).start();
		}
	}

	static SSLContext context(String cert, String key) throws Exception {
		String pem = Files.readString(Path.of(key)).replaceAll("-----.*-----|\\s", "");
		PrivateKey secret = KeyFactory.getInstance("EC").generatePrivate(
				new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
		Certificate chain = CertificateFactory.getInstance("X.509").generateCertificate(
				new ByteArrayInputStream(Files.readAllBytes(Path.of(cert))));
		KeyStore store = KeyStore.getInstance("PKCS12");
		store.load(null, null);
		store.setKeyEntry("server", secret, new char[0], new Certificate[] { chain });
		KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
		keys.init(store, new char[0]);
		SSLContext context = SSLContext.getInstance("TLSv1.3");
		context.init(keys.getKeyManagers(), null, null);
		return context;
	}

	static void serve(SSLSocket socket) {
		try (socket) {
			socket.setSoTimeout(5000);
			socket.startHandshake();
			String alpn = socket.getApplicationProtocol();
			say(socket.getPort(), alpn.isEmpty() ? "null" : "\"" + alpn + "\"");
			DataInputStream in = new DataInputStream(socket.getInputStream());
			if (alpn.equals("h2"))
				http2(in, socket.getOutputStream());
			else
				http1(in, socket.getOutputStream());
		} catch (IOException e) {
			// A client that goes, or refuses: its own word counts.
		}
	}

	static synchronized void say(int port, String alpn) {
		System.out.println("{\"port\": " + port + ", \"alpn\": " + alpn + "}");
	}

	/** One answer, then the connection closes: RFC 9112. */
	static void http1(DataInputStream in, OutputStream out) throws IOException {
		for (int last = 0; last != 0x0d0a0d0a;)
			last = last << 8 | in.readUnsignedByte();
		out.write("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n".getBytes());
	}

	/** Every request is answered with :status 200, the static table's entry 8: RFC 9113, RFC 7541. */
	static void http2(DataInputStream in, OutputStream out) throws IOException {
		out.write(frame(SETTINGS, 0, 0, new byte[0]));
		if (!Arrays.equals(in.readNBytes(24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes()))
			return;
		while (true) {
			byte[] header = in.readNBytes(9);
			if (header.length < 9)
				return;
			int length = (header[0] & 255) << 16 | (header[1] & 255) << 8 | header[2] & 255;
			byte[] body = in.readNBytes(length);
			int stream = (header[7] & 255) << 8 | header[8] & 255; // there are never many
			if (header[3] == SETTINGS && (header[4] & 1) == 0)
				out.write(frame(SETTINGS, 1, 0, new byte[0]));
			else if (header[3] == PING && (header[4] & 1) == 0)
				out.write(frame(PING, 1, 0, body));
			else if (header[3] == HEADERS)
				out.write(frame(HEADERS, 5, stream, new byte[] { (byte) 0x88 }));
			else if (header[3] == GOAWAY)
				return;
		}
	}

	static byte[] frame(int type, int flags, int stream, byte[] body) throws IOException {
		ByteArrayOutputStream frame = new ByteArrayOutputStream();
		frame.write(new byte[] { 0, 0, (byte) body.length, (byte) type, (byte) flags, 0, 0,
				(byte) (stream >> 8), (byte) stream });
		frame.write(body);
		return frame.toByteArray();
	}
}
