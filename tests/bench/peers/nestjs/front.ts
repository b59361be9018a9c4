// HTTP to a device by a NestJS client over MQTT, and back.
import "reflect-metadata";
import { Body, Controller, GatewayTimeoutException, HttpCode, Inject, Module, Post } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxy, ClientsModule, Transport } from "@nestjs/microservices";
import { FastifyAdapter } from "@nestjs/platform-fastify";
import { catchError, timeout } from "rxjs";

@Controller()
class Front {
  constructor(@Inject("DEVICES") private readonly devices: ClientProxy) {}

  @Post()
  @HttpCode(200)
  call(@Body() { device, param1 }: { device: string; param1: number }) {
    const answer = this.devices.send(`devices/${device}`, { param1 });
    return answer.pipe(
      timeout(8000),
      catchError((error: Error) => {
        throw new GatewayTimeoutException(error.message);
      }),
    );
  }
}

@Module({
  imports: [
    ClientsModule.register([{ name: "DEVICES", transport: Transport.MQTT, options: { url: process.env.MQTT_URL } }]),
  ],
  controllers: [Front],
})
class App {}

const adapter = new FastifyAdapter({ keepAliveTimeout: 65_000 });
const app = await NestFactory.create(App, adapter, { logger: ["error"] });
await app.listen(Number(process.env.PORT), "127.0.0.1");
