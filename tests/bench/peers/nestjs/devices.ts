// The devices: each sends its parameters back.
import "reflect-metadata";
import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { MessagePattern, Payload, Transport } from "@nestjs/microservices";

@Controller()
class Devices {
  @MessagePattern("devices/+")
  call(@Payload() params: object) {
    return params;
  }
}

@Module({ controllers: [Devices] })
class App {}

const app = await NestFactory.createMicroservice(App, {
  transport: Transport.MQTT,
  options: { url: process.env.MQTT_URL },
  logger: ["error"],
});
await app.listen();
